import { ServiceBroker, type ServiceSchema } from "moleculer";
import { loadConfig } from "../../../config/config";
import { attachPlatform, Platform } from "../../../config/platform";
import { documentsMixin, type DocumentsService } from "../../../mixins/documents.mixin";
import { temporaryFolder } from "../../support/temp";

interface Note {
  id: string;
  text: string;
}

const schema: ServiceSchema = {
  name: "notes",
  mixins: [documentsMixin<Note>({ collection: "notes" })],
  actions: {
    add: {
      async handler(this: DocumentsService<Note>, ctx: { params: Note }) {
        await this.documents.insert(ctx.params);
        return this.documents.count();
      },
    },
  },
  async started(this: DocumentsService<Note>) {
    await this.documents.insert({ id: "first", text: "made at start" });
  },
} as object as ServiceSchema;

async function running(dir: string): Promise<{ broker: ServiceBroker; stop(): Promise<void> }> {
  const broker = new ServiceBroker({ logger: false, nodeID: dir });
  const platform = new Platform(loadConfig({ DATA_DIR: dir }));
  attachPlatform(broker, platform);
  broker.createService(schema);
  await broker.start();
  return {
    broker,
    async stop() {
      await broker.stop();
      await platform.close();
    },
  };
}

test("documents are ready before the service's own start, and each broker has its own store", async () => {
  const [one, two] = await Promise.all([running(temporaryFolder()), running(temporaryFolder())]);
  expect(await one.broker.call("notes.add", { id: "a", text: "x" })).toBe(2);
  expect(await one.broker.call("notes.add", { id: "b", text: "x" })).toBe(3);
  expect(await two.broker.call("notes.add", { id: "a", text: "x" })).toBe(2);
  await Promise.all([one.stop(), two.stop()]);
});

test("none of moleculer-db's own actions exist", async () => {
  const { broker, stop } = await running(temporaryFolder());
  const actions = broker.registry.actions.list({ skipInternal: true }).map((action: { name: string }) => action.name);
  expect(actions).toEqual(["notes.add"]);
  await stop();
});

test("a store that cannot be opened ends the start", async () => {
  const dir = temporaryFolder();
  const first = await running(dir);
  await expect(running(dir)).rejects.toThrow(/is in use by process/);
  await first.stop();
});
