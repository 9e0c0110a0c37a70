/** The harness of all benchmarks: ours and its peers in one run, samples alternating, medians. */

/** Takes one sample, in the result's unit. */
export type Sampler = () => Promise<number> | number;

/** A result as the last line of a benchmark prints it. */
export interface Result {
  readonly name: string;
  readonly unit: string;
  /** Our median. */
  readonly ours: number;
  /** The peer's median in the same run; null without a peer. */
  readonly peer: number | null;
  readonly peerName: string | null;
  /** ours ÷ peer. */
  readonly ratio: number | null;
  /** What is to be reached: the largest `ratio`, or the largest `ours` where the goal is an absolute one. */
  readonly goal: number | null;
  /** Samples of each. */
  readonly n: number;
}

/** A goal of {@link measure}: the largest ratio to the (first) peer, or the largest value of our own. */
export type Goal = { readonly ratio: number } | { readonly ours: number };

/** What {@link measure} compares. */
export interface Comparison {
  readonly name: string;
  readonly unit: string;
  readonly ours: Sampler;
  /** Peer name → sampler. The first is the result `name`, a further one `name-peer`. */
  readonly peers: Readonly<Record<string, Sampler>>;
  readonly goal?: Goal;
  readonly samples: number;
  /** Samples thrown away before. Default 2. */
  readonly warmUp?: number;
}

/** The middle value; the mean of the two middle ones where there is an even number. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [below = Number.NaN, above = Number.NaN] = [sorted[middle - 1], sorted[middle]];
  return sorted.length % 2 === 1 ? above : (below + above) / 2;
}

const round = (value: number): number => Number(value.toPrecision(4));

/**
 * Samples ours and every peer in turn, so that whatever else the machine does falls on all alike. The order turns
 * around each time: no one always runs after the same neighbour.
 */
export async function measure(comparison: Comparison): Promise<readonly Result[]> {
  const { name, unit, samples, goal } = comparison;
  const subjects = [
    { peerName: null, sampler: comparison.ours, values: [] as number[] },
    ...Object.entries(comparison.peers).map(([peerName, sampler]) => ({
      peerName,
      sampler,
      values: [] as number[],
    })),
  ];
  const warmUp = comparison.warmUp ?? 2;
  for (let turn = -warmUp; turn < samples; turn++) {
    for (const subject of turn % 2 === 0 ? subjects : subjects.toReversed()) {
      const value = await subject.sampler();
      if (turn >= 0) subject.values.push(value);
    }
  }
  const medians = subjects.map(({ values }) => median(values));
  const [ours = Number.NaN, ...peerMedians] = medians;
  const value = { unit, ours: round(ours), n: samples };
  if (peerMedians.length === 0) {
    const limit = goal !== undefined && "ours" in goal ? goal.ours : null;
    return [{ name, ...value, peer: null, peerName: null, ratio: null, goal: limit }];
  }
  return peerMedians.map((peer, at) => ({
    name: at === 0 ? name : `${name}-${subjects[at + 1]?.peerName}`,
    ...value,
    peer: round(peer),
    peerName: subjects[at + 1]?.peerName ?? null,
    ratio: round(ours / peer),
    goal: at > 0 || goal === undefined ? null : "ratio" in goal ? goal.ratio : goal.ours,
  }));
}
