const { imul } = Math;

/**
 * Rendezvous (highest random weight) hashing: each key belongs to the node whose weight for it is the highest. Everybody
 * who knows the same nodes finds the same one, and a node that joins or leaves moves only what it gets or had.
 *
 * Not cached by key: a map of texts would have to hash the key as well, which is all that is done here.
 */
export class Rendezvous {
  private readonly hashes: Uint32Array;
  /** In the order of their names, so that equal weights fall to the same one everywhere. */
  readonly nodes: readonly string[];

  constructor(nodes: Iterable<string>) {
    this.nodes = [...new Set(nodes)].sort();
    this.hashes = Uint32Array.from(this.nodes, hashOf);
  }

  /** The node of a key; undefined if there are no nodes. */
  of(key: string): string | undefined {
    const { nodes, hashes } = this;
    if (nodes.length < 2) return nodes[0];
    const hash = hashOf(key);
    let best = 0;
    let highest = -1;
    for (let n = 0; n < hashes.length; n++) {
      const weight = mix(hash ^ (hashes[n] as number));
      if (weight > highest) {
        highest = weight;
        best = n;
      }
    }
    return nodes[best];
  }

  has(node: string): boolean {
    return this.nodes.includes(node);
  }
}

/** FNV-1a over UTF-16 units, then mixed: keys that differ in one character differ in every bit. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let n = 0; n < text.length; n++) hash = imul(hash ^ text.charCodeAt(n), 0x01000193);
  return mix(hash);
}

/** The finalizer of MurmurHash3: a bijection of 32 bits in which every bit of the input moves half of the output. */
function mix(value: number): number {
  let hash = value;
  hash = imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
