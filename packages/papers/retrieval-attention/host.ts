import type { Host, Model, Probe } from 'loci';

/** Lends the device of a model, as methods see it. */
export async function withHost<T>(model: Model, work: (host: Host) => Promise<T>): Promise<T> {
  const hosts: Host[] = [];
  const probe: Probe = {
    ...{ axis: 'probe', name: 'host', spec: 'host', needs: {} },
    open(host) {
      hosts.push(host);
      return { result: () => null, close: () => {} };
    },
  };
  const session = await model.open({ probes: [probe] });
  try {
    const [host] = hosts;
    if (!host) throw new Error('the probe was not opened');
    return await work(host);
  } finally {
    session.close();
  }
}
