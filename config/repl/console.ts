import type { REPLServer } from "node:repl";
import type { ServiceBroker } from "moleculer";
import { redactText } from "../log.redact";
import { JSON_OPTION, type Command } from "./command";
import { hasColours } from "./format";
import { COMMANDS, runCommand } from "./commands";
import { Operator } from "./operator";

/** Lines that the history, which is kept in a file, must not hold: they name a secret or look like one. */
const SECRET = /password|passwd|secret|token|credential|[\w-]{40,}/i;

const SECRET_NAME = /pass|secret|token|credential|key/i;

/**
 * Opens Moleculer's console on this terminal with our commands in it, on a started broker. Leaving it stops the broker and
 * ends the process. What its own commands would show of passwords and keys is taken out of their sight first.
 * @param environment of the process, which nobody reads any more
 */
export function openConsole(broker: ServiceBroker, environment: NodeJS.ProcessEnv): REPLServer {
  hideSecrets(environment);
  hideCredentials(broker);
  const operator = new Operator(broker);
  broker.options.replOptions = {
    delimiter: "rookery $",
    customCommands: COMMANDS.map(command => consoleCommand(command, operator)),
  };
  const repl = broker.repl() as unknown as REPLServer;
  repl.on("history", forgetSecrets);
  return repl;
}

/** What names a secret, or is an address with a password in it, leaves the environment: `env` lists what is there. */
export function hideSecrets(environment: NodeJS.ProcessEnv): void {
  for (const [name, value = ""] of Object.entries(environment))
    if (SECRET_NAME.test(name) || redactText(value) !== value) delete environment[name];
}

/** `info` lists the options of the transporter. Its connection has its own copy of them. */
function hideCredentials({ transit }: ServiceBroker): void {
  const options = (transit as { tx?: { opts?: Record<string, unknown> } } | undefined)?.tx?.opts;
  for (const name of ["user", "pass", "token"])
    if (options && name in options) Object.defineProperty(options, name, { enumerable: false });
}

/** Told after every line, with the newest first; what is taken out here is not written to the file. */
export function forgetSecrets(history: string[]): void {
  const [line] = history;
  if (line !== undefined && (SECRET.test(line) || redactText(line) !== line)) history.shift();
}

/** A command as moleculer-repl registers it. It parses nothing: words go to the same place as those of a shell. */
function consoleCommand({ name, takes, description, options }: Command, operator: Operator) {
  // That console knows no word that stands for itself: it would list it as one more value to give.
  const literal = /^[a-z]/.test(takes);
  return {
    command: literal ? name : `${name} ${takes}`.trim(),
    description: literal ? `\`${name} ${takes}\`: ${description}` : description,
    options: Object.entries({ ...options, json: JSON_OPTION }).map(([option, is]) => ({
      option: `${is.short ? `-${is.short}, ` : ""}--${option}${is.type === "string" ? " <n>" : ""}`,
      description: is.meaning,
    })),
    alias: null,
    allowUnknownOptions: true,
    parse(line: { parent: { rawArgs: string[] }; params: unknown }) {
      line.params = line.parent.rawArgs.slice(2);
    },
    async action(_broker: unknown, words: unknown) {
      console.log((await runCommand(operator, words as string[], hasColours())).text);
    },
  };
}
