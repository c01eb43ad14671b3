import type { ServiceSchema, ServiceSettingSchema } from "moleculer";
import { platformOf } from "../../config/platform";
import { Failures, Rounds } from "../../mixins/rounds";
import { untilDone } from "../../mixins/until-done";
import { RoomWriters } from "../../mixins/writers";
import { call, type ActionsOf } from "../core/contract";
import { invites } from "./actions/invites";
import { running } from "./actions/running";
import { RoomChanges, type Append } from "./changes";
import { Decisions } from "./decisions";
import { seedRooms, SEEDS, type Seed } from "./first-rooms";
import { Invites } from "./invites";
import { Ownership } from "./ownership";
import { presentVia, type RoomsService } from "./parts";
import { MEMBERS, ROOMS, type StoredMember, type StoredRoom } from "./room";
import { RoomPeople } from "./people";
import { Rooms } from "./rooms";
import { Sanctions } from "./sanctions";
import { RoomTransfer } from "./transfer";
import { membership } from "./actions/membership";
import { rights } from "./actions/rights";
import { transfer } from "./actions/transfer";

/** Milliseconds between looks for changes left half done. */
const SWEEP = 1_000;
const SWEEP_ROOMS = 50;
/** Milliseconds between two tries to make the first rooms. */
const SEED_PAUSE = 1_000;

const actions = {
  ...membership,
  ...running,
  ...invites,
  ...rights,
  ...transfer,
} satisfies ActionsOf<"rooms">;

const RoomsSchema: ServiceSchema<ServiceSettingSchema, never, never, RoomsService> = {
  name: "rooms",
  actions,

  created(this: RoomsService) {
    this.ending = new AbortController();
  },

  async started(this: RoomsService) {
    const platform = platformOf(this.broker);
    const { clock, limits, config } = platform;
    const rooms = await platform.documents<StoredRoom>(ROOMS);
    const members = await platform.documents<StoredMember>(MEMBERS);
    this.writers = new RoomWriters(this.broker);
    const append: Append = requests => this.writers.append(requests);
    const start = (room: string, users: string[]) => call(this.broker, "messages.start", { room, users });
    const { largeRoom, groupMembers } = limits;
    this.changes = new RoomChanges(
      rooms,
      members,
      append,
      clock,
      { largeRoom, start },
      {
        groupMembers,
        present: presentVia(this.broker),
      },
    );
    const decisions = new Decisions(rooms, members, this.changes, clock);
    this.rooms = new Rooms(rooms, members, this.changes, clock, limits, decisions);
    this.people = new RoomPeople(rooms, members);
    this.sanctions = new Sanctions(members, decisions, clock, limits);
    this.invites = new Invites(decisions, clock);
    this.ownership = new Ownership(decisions, clock, this.changes.succession);
    this.transfer = new RoomTransfer(rooms, members, this.changes, clock);
    if (config.seedDemo) {
      const seeds = await platform.documents<Seed>(SEEDS);
      const admin = () => call(this.broker, "users.byLogin", { login: "admin" });
      const seed = () => seedRooms({ seeds, store: rooms, rooms: this.rooms, append, maxText: limits.text, admin });
      platform.afterStart.push(async () => {
        if (!config.cluster) return void (await seed());
        // The admin and the log may be other nodes', and start later.
        const failures = new Failures(this.logger, "the first rooms have to wait");
        void untilDone(seed, { every: SEED_PAUSE, failures, signal: this.ending.signal });
      });
    }
    this.sweeper = new Rounds(
      () => this.changes.sweep(SWEEP_ROOMS, (room, error) => this.sweeper.failed(error, { room })),
      { every: SWEEP, log: this.logger, what: "a change waits for the next sweep" },
    );
  },

  async stopped(this: RoomsService) {
    this.sweeper?.stop();
    this.ending.abort();
    this.writers?.close();
  },
};

export default RoomsSchema;
