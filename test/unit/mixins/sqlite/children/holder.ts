import { lockFolder } from "../../../../../mixins/sqlite/lock";

/** Takes the lock of a folder and keeps it; prints `held`, or the message of the refusal. */
lockFolder(process.argv[2] as string).then(
  () => {
    console.log("held");
    setInterval(() => undefined, 60_000);
  },
  (error: Error) => console.log(`refused: ${error.message}`),
);
