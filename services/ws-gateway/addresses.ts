import { networkOf } from "../core/client-address";

interface Count {
  sockets: number;
  strangers: number;
}

/** Open sockets by the network of the client's address, and how many of them have not said who they are: strangers. */
export class Addresses {
  private readonly counts = new Map<string, Count>();

  of(address: string): Readonly<Count> {
    return this.counts.get(networkOf(address)) ?? { sockets: 0, strangers: 0 };
  }

  opened(address: string): void {
    const { sockets, strangers } = this.of(address);
    this.counts.set(networkOf(address), { sockets: sockets + 1, strangers: strangers + 1 });
  }

  /** A stranger has said who he is. */
  known(address: string): void {
    const count = this.counts.get(networkOf(address));
    if (count) count.strangers--;
  }

  closed(address: string, stranger: boolean): void {
    const network = networkOf(address);
    const count = this.counts.get(network);
    if (!count) return;
    count.sockets--;
    if (stranger) count.strangers--;
    if (count.sockets <= 0) this.counts.delete(network);
  }
}
