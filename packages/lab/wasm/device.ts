import { Device, type DeviceHost, type KernelBuild } from '@loci/device';
import { nodeHost } from '@loci/engine/node-host';
import { trainScratch } from '@loci/kernels/train';

const host: DeviceHost = {
  kernels: (build) => nodeHost.kernels(build === 'plain' ? 'train-plain' : 'train-relaxed'),
  startWorker: (start, events) => nodeHost.startWorker(start, events),
};

/** A device whose threads run the training kernels, by default in the build that the machine can run. @throws DeviceError */
export function openTrainingDevice(threads: number, build?: KernelBuild): Promise<Device> {
  return Device.create(host, { threads, scratchBytes: trainScratch(1), ...(build && { build }) });
}
