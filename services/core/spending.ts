/** Parameters of actions by which nodes tell each other what is spent, see `SharedCounter`. */
export const spending = <const Limits extends readonly string[]>(limits: Limits) =>
  ({
    limit: { type: "enum", values: [...limits] },
    items: {
      type: "array",
      min: 1,
      max: 1_000,
      items: {
        type: "object",
        strict: true,
        props: {
          key: "string|max:300",
          used: "number|min:0",
          endsInMs: "number|min:0",
          spent: "number|min:0",
          want: "number|min:0",
        },
      },
    },
  }) as const;
