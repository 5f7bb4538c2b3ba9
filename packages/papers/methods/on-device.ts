import type { Device } from '@loci/device';
import type { Model, Probe } from 'loci';

/** Works on the device that a model runs on, through a session that is opened for nothing else. */
export async function onDevice<T>(model: Model, work: (device: Device) => Promise<T>): Promise<T> {
  let device: Device | undefined;
  const probe: Probe = {
    ...{ axis: 'probe', name: 'device', spec: 'device', needs: {} },
    open: (host) => {
      device = host.device;
      return { result: () => null, close: () => undefined };
    },
  };
  const session = await model.open({ probes: [probe] });
  try {
    if (!device) throw new Error('the session has opened no probe');
    return await work(device);
  } finally {
    session.close();
  }
}
