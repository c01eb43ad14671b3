import { METHODS, type MethodName } from "../../core/methods";
import { pathParameters, ROUTES } from "../routes";
import { QUERY, type SchemaName } from "../schemas";
import type { Schema } from "../schemas/parts";

/** A method of the frame `call`, as the REST route that leads to the same action takes and answers it. */
export interface Method {
  name: MethodName;
  summary: string;
  /** `POST /api/channels`. */
  route: string;
  /** Undefined where it takes none. */
  params: (Schema & { required: readonly string[] }) | undefined;
  result: Schema;
}

type Body = { properties: Record<string, Schema>; required: readonly string[] };

export const methods = (schemas: Record<SchemaName, Schema>): Method[] => METHODS.map(name => method(name, schemas));

function method(name: MethodName, schemas: Record<SchemaName, Schema>): Method {
  // Channels and conversations have a route each to one action.
  const routes = ROUTES.filter(({ to }) => to === name);
  const [route] = routes;
  if (!route) throw new TypeError(`no route leads to ${name}`);
  const path = pathParameters(route);
  const body = route.body ? (schemas[route.body] as unknown as Body) : { properties: {}, required: [] };
  const properties: Record<string, Schema> = {
    ...Object.fromEntries(path.map(parameter => [parameter, { type: "string" }])),
    ...Object.fromEntries((route.query ?? []).map(parameter => [parameter, fieldOf(parameter)])),
    ...body.properties,
  };
  const answers = [...new Set(routes.flatMap(({ answer }) => answer ?? []))].map(answer => ({
    $ref: `#/components/schemas/${answer}`,
  }));
  return {
    name,
    summary: route.summary,
    route: `${route.method} /api${route.path}`,
    params:
      Object.keys(properties).length > 0
        ? { type: "object", required: [...path, ...body.required], properties, additionalProperties: false }
        : undefined,
    result: answers.length > 1 ? { anyOf: answers } : (answers[0] ?? { type: "null" }),
  };
}

const fieldOf = (parameter: keyof typeof QUERY): Schema => {
  const { schema, description } = QUERY[parameter];
  return { ...schema, description };
};
