const NOTHING: readonly never[] = [];

/** A set that mostly has one member, and then is no more than that. A Set of one takes 153 bytes, this 40. */
export class Few<T extends object> implements Iterable<T> {
  private one: T | null = null;
  /** All of them, once there were two at a time. */
  private all: Set<T> | null = null;

  get size(): number {
    return this.all ? this.all.size : this.one ? 1 : 0;
  }

  has(member: T): boolean {
    return this.all ? this.all.has(member) : this.one === member;
  }

  add(member: T): this {
    if (this.all) this.all.add(member);
    else if (!this.one) this.one = member;
    else if (this.one !== member) {
      this.all = new Set([this.one, member]);
      this.one = null;
    }
    return this;
  }

  delete(member: T): boolean {
    if (this.all) return this.all.delete(member);
    if (this.one !== member) return false;
    this.one = null;
    return true;
  }

  /** Members may come and go meanwhile, as with a Set. */
  [Symbol.iterator](): Iterator<T> {
    if (this.all) return this.all.values();
    return (this.one ? [this.one] : NOTHING).values();
  }
}
