// What all processes count (GET /admin/operations), as what happened between two looks at it.

const labelsOf = (text) =>
  Object.fromEntries(
    [...text.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value]),
  );

// Metrics by replica, name and labels. A process that is new, or has begun anew, counts from 0.
function tableOf({ replicas }) {
  const table = new Map();
  for (const { instance, process, metrics } of replicas)
    for (const metric of metrics)
      table.set(`${instance} ${metric.name} ${metric.labels}`, {
        ...metric,
        process,
        labels: labelsOf(metric.labels),
      });
  return table;
}

const total = (numbers) => numbers.reduce((sum, number) => sum + number, 0);
const began = (before, after) =>
  !before ||
  total(before.buckets) > total(after.buckets) ||
  (after.type === "COUNTER" && before.value > after.value);

// `between(before, after)`: two answers as rates, gauges and histograms of the time between them.
// `fits(labels, process)` says which labels count.
export function between(before, after) {
  const old = tableOf(before);
  const now = tableOf(after);
  const seconds = (new Date(after.observed_at) - new Date(before.observed_at)) / 1000;
  const bounds = { DURATION: after.duration_bounds_us, SIZE: after.size_bounds };
  const rows = (name, fits = () => true) =>
    [...now].filter(([, metric]) => metric.name === name && fits(metric.labels, metric.process));

  function grown(key, metric) {
    const from = began(old.get(key), metric) ? null : old.get(key);
    return {
      value: metric.value - (from?.value ?? 0),
      buckets: metric.buckets.map((count, i) => count - (from?.buckets[i] ?? 0)),
    };
  }
  function histogram(name, fits) {
    const found = rows(name, fits).map(([key, metric]) => ({
      ...grown(key, metric),
      type: metric.type,
    }));
    const buckets = found.reduce(
      (sums, { buckets: more }) => more.map((count, i) => count + (sums[i] ?? 0)),
      [],
    );
    return {
      sum: total(found.map(({ value }) => value)),
      count: total(buckets),
      buckets,
      bounds: bounds[found[0]?.type] ?? [],
    };
  }
  return {
    seconds,
    rate: (name, fits) =>
      total(rows(name, fits).map(([key, metric]) => grown(key, metric).value)) / seconds,
    gauge: (name, fits) => total(rows(name, fits).map(([, metric]) => metric.value)),
    names: (name, label, fits) => [
      ...new Set(rows(name, fits).map(([, metric]) => metric.labels[label])),
    ],
    histogram,
  };
}

export const mean = ({ sum, count }) => (count ? sum / count : null);

// The share of a histogram's observations that lie below the result, in the unit of its bounds; null
// without any. Inside a bucket they are taken to lie evenly.
export function quantile({ buckets, bounds, count }, share) {
  if (!count) return null;
  let below = 0;
  const index = buckets.findIndex((some) => (below += some) >= share * count);
  const low = bounds[index - 1] ?? 0;
  const high = bounds[index] ?? low;
  return high - ((high - low) * (below - share * count)) / (buckets[index] || 1);
}

// The upper bound of what was observed.
export const largest = ({ buckets, bounds }) =>
  bounds[
    Math.min(
      buckets.findLastIndex((count) => count > 0),
      bounds.length - 1,
    )
  ] ?? null;
