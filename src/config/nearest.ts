/** Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours between `a` and `b`. */
function editDistance(a: string, b: string): number {
  let before: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1
      row[j] = Math.min(previous[j] + 1, row[j - 1] + 1, previous[j - 1] + cost)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) row[j] = Math.min(row[j], before[j - 2] + 1)
    }
    before = previous
    previous = row
  }
  return previous[b.length]
}

/** The name that `typo` most likely stands for: within a third of its length, at least two edits; undefined when none is near. */
export function nearest(typo: string, names: readonly string[]): string | undefined {
  const reach = Math.max(2, Math.floor(typo.length / 3))
  let best: string | undefined
  let bestDistance = reach + 1
  for (const name of names) {
    const distance = editDistance(typo, name)
    if (distance < bestDistance) {
      best = name
      bestDistance = distance
    }
  }
  return best
}
