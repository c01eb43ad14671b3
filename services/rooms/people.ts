import type { Documents } from "../../mixins/documents";
import type { RoomAccess } from "../core/contract";
import type { StoredMember, StoredRoom } from "./room";

/** Members up to which people of a room count as knowing each other. */
const SMALL = 100;
/** Rooms of one read. */
const BATCH = 500;
/** People at most who are told where nobody was named. */
const PEOPLE = 2_000;

/** Those between whom and the user there is a block. */
export type BlocksAmong = (user: string, others: string[]) => Promise<string[]>;

/** Who has to do with whom, by the rooms they are in. */
export class RoomPeople {
  constructor(
    private readonly rooms: Documents<StoredRoom>,
    private readonly members: Documents<StoredMember>,
  ) {}

  /** Those of the others, or of all, who are in a room with the user; `small`: in one of few people. */
  async acquainted(user: string, others: readonly string[] | undefined, small: boolean): Promise<string[]> {
    const mine = await this.members.find({ where: { user, state: "member" } });
    const facts = await this.rooms.pick(
      mine.map(({ room }) => room),
      ["deletedAt", "memberCount"],
    );
    const shared = mine
      .map(({ room }) => room)
      .filter(room => {
        const { deletedAt = "gone", memberCount = 0 } = facts.get(room) ?? {};
        return deletedAt === null && (!small || (memberCount ?? 0) <= SMALL);
      });
    const met = new Set<string>();
    for (let from = 0; from < shared.length && met.size < PEOPLE; from += BATCH) {
      const room = { $in: shared.slice(from, from + BATCH) };
      const where = { room, state: "member", ...(others && { user: { $in: others } }) } as const;
      for (const member of await this.members.find({ where, ...(!others && { limit: PEOPLE }) })) met.add(member.user);
    }
    met.delete(user);
    return [...met];
  }

  /** The answers, where it is said of direct rooms whether one of the two blocks the other. */
  async withBlocks(user: string, answers: readonly RoomAccess[], blocksAmong: BlocksAmong): Promise<RoomAccess[]> {
    const direct = answers.filter(({ kind, role }) => kind === "direct" && role !== null);
    if (direct.length === 0) return [...answers];
    const keys = await this.rooms.pick(
      direct.map(({ room }) => room),
      ["directKey"],
    );
    const others = new Map(
      [...keys].flatMap(([room, { directKey }]) => {
        const other = directKey?.split(":").find(one => one !== user);
        return other === undefined ? [] : [[room, other] as const];
      }),
    );
    const blocks = new Set(await blocksAmong(user, [...new Set(others.values())]));
    return answers.map(answer => (blocks.has(others.get(answer.room) ?? "") ? { ...answer, blocked: true } : answer));
  }
}
