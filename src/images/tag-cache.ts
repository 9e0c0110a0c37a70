/** How often a tag's meaning was known already, for metrics; of this process. */

/** Lookups so far. */
export interface TagCacheCounts {
  readonly hits: number;
  readonly misses: number;
}

let hits = 0;
let misses = 0;

export const countLookup = (hit: boolean): void => {
  if (hit) hits += 1;
  else misses += 1;
};

export const tagCacheCounts = (): TagCacheCounts => ({ hits, misses });
