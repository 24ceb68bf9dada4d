// A map as large as a large site's, the same each time.

export function synthetic(nodes, edges) {
  let seed = 7;
  const random = (below) => (seed = (seed * 48271) % 2147483647) % below;
  const states = ['learning', 'observing', 'enforcing'];
  const worst = ['low', 'medium', 'high', 'critical'];
  const id = (i) => `docker/app${i % 40}/svc${i}`;
  const now = new Date().toISOString();
  return {
    time: now,
    nodes: Array.from({ length: nodes }, (_, i) => ({
      id: id(i), kind: i % 13 ? 'container' : 'service', name: `app${i % 40}-svc${i}-1`, image: `registry/app${i % 40}:v1`,
      state: states[i % 3], coverage: (i % 100) / 100, instances: 1 + (i % 3),
      alerts: i % 37 ? 0 : 3, worst: i % 37 ? undefined : worst[i % 4], ports: [{ proto: 'tcp', port: 8000 + i }],
    })),
    edges: Array.from({ length: edges }, (_, i) => {
      const from = random(nodes);
      return { from: id(from), to: id((from + 1 + random(40)) % nodes), proto: 'tcp', port: 8000 + random(1000), count: random(9999), last: now, novel: i % 97 === 0, denied: i % 211 === 0 };
    }),
  };
}
