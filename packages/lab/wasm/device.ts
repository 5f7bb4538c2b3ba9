import { Device, type DeviceHost } from '@loci/device';
import { nodeHost } from '@loci/engine/node-host';
import { trainScratch } from '@loci/kernels/train';

const host: DeviceHost = {
  kernels: (build) => nodeHost.kernels(build === 'plain' ? 'train-plain' : 'train-relaxed'),
  startWorker: (start, events) => nodeHost.startWorker(start, events),
};

/** A device whose threads run the training kernels. @throws DeviceError */
export function openTrainingDevice(threads: number): Promise<Device> {
  return Device.create(host, { threads, scratchBytes: trainScratch(1) });
}
