import type { ServiceSchema, ServiceSettingSchema } from "moleculer";
import { platformOf } from "../../config/platform";
import { Rounds } from "../../mixins/rounds";
import type { Staged } from "../../mixins/staged-changes";
import { RoomWriters } from "../../mixins/writers";
import { broadcast, call, type ActionsOf, type RelationChange } from "../core/contract";
import { RookeryError } from "../core/errors";
import type { UserNote } from "../core/model";
import { management } from "./actions/management";
import { preferences } from "./actions/preferences";
import { profiles } from "./actions/profiles";
import { records } from "./actions/records";
import { relations } from "./actions/relations";
import { ADMINS, type AdminStage } from "./admins";
import { Directory } from "./directory";
import { Erasures, ERASURES, type StoredErasure } from "./erasures";
import { Lifecycle } from "./lifecycle";
import { consequencesVia, ownersVia, type UsersService } from "./parts";
import { PREFERENCES, PreferenceStore, type StoredPreferences } from "./preferences";
import { RELATIONS, Relations, type StoredRelation, type Telling } from "./relations";
import { audienceOf, Sight } from "./sight";
import { USERS, type StoredUser } from "./user";

/** Milliseconds between looks for consequences of changes that are still to be carried out. */
const RESUME = 5_000;
/** The same of what people are still to be told, and how much of it is looked at in one go. */
const SWEEP = 1_000;
const SWEEP_RECORDS = 100;

const actions = {
  ...records,
  ...profiles,
  ...management,
  ...relations,
  ...preferences,
} satisfies ActionsOf<"users">;

const UsersSchema: ServiceSchema<ServiceSettingSchema, never, never, UsersService> = {
  name: "users",
  actions,

  created(this: UsersService) {
    const { afterStart, config } = platformOf(this.broker);
    if (config.cluster) return;
    afterStart.push(async () => {
      await this.erasures.takeOver();
      this.eraser.hurry();
    });
  },

  async started(this: UsersService) {
    const platform = platformOf(this.broker);
    const users = await platform.documents<StoredUser>(USERS);
    const admins = await platform.documents<AdminStage>(ADMINS);
    const delayed = (error: unknown): void => this.resumer.failed(error);
    this.directory = new Directory(users);
    this.lifecycle = new Lifecycle(this.directory, users, admins, platform.clock, delayed);
    this.writers = new RoomWriters(this.broker);
    this.relations = new Relations(
      await platform.documents<StoredRelation>(RELATIONS),
      (pair, tellings) => tell(this, pair, tellings),
      platform.clock,
      platform.limits,
      platform.config.rateLimit === "on",
    );
    this.preferences = new PreferenceStore(
      await platform.documents<StoredPreferences>(PREFERENCES),
      async (user, { privacy, id, revision }) => {
        if (privacy) {
          const audience = privacy.find === "everyone" ? null : audienceOf(user, privacy.find);
          await this.directory.setAudience(user, audience, revision);
          broadcast(this.broker, "users.relations", { changes: [{ user, other: null }] });
        }
        await note(this.writers, [{ id, to: user, note: { kind: "preferences", data: { revision } } }]);
      },
      platform.clock,
    );
    this.sight = new Sight(this.relations, this.preferences, (user, others, small) =>
      call(this.broker, "rooms.acquainted", { user, ...(others && { others }), small }),
    );
    const consequences = consequencesVia(this.broker, this);
    this.resumer = new Rounds(() => this.lifecycle.resume(consequences), {
      every: RESUME,
      log: this.logger,
      what: "other services are told of a change later",
    });
    const later = (_: string, error: unknown): void => this.sweeper.failed(error);
    this.sweeper = new Rounds(
      async () => {
        await this.relations.sweep(SWEEP_RECORDS, later);
        await this.preferences.sweep(SWEEP_RECORDS, later);
      },
      { every: SWEEP, log: this.logger, what: "people are told of a change later" },
    );
    this.erasures = new Erasures(await platform.documents<StoredErasure>(ERASURES), platform.clock, error =>
      this.eraser.failed(error),
    );
    const owners = ownersVia(this.broker, user => this.lifecycle.erase(consequences, user));
    this.eraser = new Rounds(() => this.erasures.round(owners), {
      every: RESUME,
      log: this.logger,
      what: "an erasure has to wait",
    });
  },

  async stopped(this: UsersService) {
    this.resumer?.stop();
    this.sweeper?.stop();
    this.writers?.close();
    this.eraser?.stop();
  },
};

export default UsersSchema;

/** What must act at once goes first: gateways and writers look at the two anew. */
async function tell(service: UsersService, pair: RelationChange, tellings: readonly Staged<Telling>[]): Promise<void> {
  broadcast(service.broker, "users.relations", { changes: [pair] });
  await note(service.writers, tellings);
}

/** Writes into feeds, once under each id. Throws where it is not known that all of it stands there. */
async function note(writers: RoomWriters, notes: readonly { id: string; to: string; note: UserNote }[]): Promise<void> {
  const answers = await writers.append(
    notes.map(({ id, to, note: told }) => ({ room: to, entry: { op: "user", changeId: id, note: told } })),
  );
  for (const answer of answers) if (!answer.ok) throw new RookeryError(answer.error.code, answer.error.detail);
}
