import { Mistake } from "./command";
import { commandLine, runCommand, usage } from "./commands";
import { hasColours } from "./format";
import { openConsole } from "./console";
import { join } from "./node";
import { Operator } from "./operator";

const USAGE = `npm run repl                       opens a console in the cluster that TRANSPORTER names
npm run repl -- "COMMAND" [--json]  runs one command and ends: 0 if all is well, 1 if not
npm run repl -- help                these lines

${usage()}`;

/** What `npm run repl` runs. */
async function main(argv: readonly string[]): Promise<number | null> {
  if (argv[0] === "help" || argv.includes("--help") || argv.includes("-h")) {
    console.log(USAGE);
    return 0;
  }
  const transporter = process.env.TRANSPORTER;
  if (!transporter)
    throw new Mistake(
      "TRANSPORTER is not set: one process has no cluster to join; ROOKERY_REPL=1 npm start opens the console inside it",
    );
  if (!/^(nats|tls):\/\/./.test(transporter))
    throw new Mistake("TRANSPORTER: give a URL that starts with nats:// or tls://");
  if (argv.length === 0 && !process.stdin.isTTY)
    throw new Mistake('this is no terminal: give a command, like npm run repl -- "health" --json');

  const broker = await join(transporter, argv.length === 0 ? "error" : "fatal");
  const operator = new Operator(broker);
  if (argv.length === 0) {
    console.log(
      `${broker.nodeID} joined ${operator.nodes().length} nodes; \`help\` lists the commands, \`exit\` leaves\n`,
    );
    openConsole(broker, process.env);
    return null;
  }
  const { text, ok } = await runCommand(operator, commandLine(argv), hasColours());
  await new Promise(resolve => process.stdout.write(`${text}\n`, resolve));
  await broker.stop();
  return ok ? 0 : 1;
}

main(process.argv.slice(2)).then(
  code => {
    if (code !== null) process.exit(code);
  },
  (error: unknown) => {
    console.error(error instanceof Mistake ? error.message : error);
    process.exit(1);
  },
);
