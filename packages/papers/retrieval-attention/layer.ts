import type { Device } from '@loci/device';
import { type Graph, linkBytes } from '@loci/kernels';
import type { Host } from 'loci';

/** One layer of an index. */
export interface Layer {
  readonly address: number;
  readonly graph: Graph;
  /** Keys of every key/value head that are indexed, and the length of the longest. */
  readonly counts: number[];
  readonly norms: number[];
  /** Whether the rows of its keys are there: a restored index makes them when they are first needed. */
  isFilled: boolean;
}

/** Room for the keys of every key/value head, and for their links where there is a graph. @throws DeviceError `memory`. */
export function newLayer({ device, arch }: Host, counts: readonly number[], degree: number, isGraph: boolean): Layer {
  const { heads: h, kvHeads: g, headSize: d } = arch;
  const room = Math.max(1, ...counts);
  const capacity = 3 * degree;
  const rowBytes = 2 * g * room * d;
  const links = isGraph ? h * linkBytes({ room, capacity }) : 0;
  const address = device.allocate(rowBytes + links + 4 * (g + h));
  const words = address + rowBytes + Math.ceil(links / 4) * 4;
  device.ints(words, g).set(counts);
  device.ints(words + 4 * g, h).fill(0);
  return {
    address,
    graph: {
      ...{ h, g, d, room, capacity, rows: address, links: links === 0 ? 0 : address + rowBytes },
      ...{ counts: words, starts: words + 4 * g },
    },
    counts: [...counts],
    norms: counts.map(() => 0),
    isFilled: false,
  };
}

/** Takes over the keys of a layer that has no more of them, and their links where there is a graph. */
export function copyLayer(device: Device, from: Layer, to: Layer, isGraph: boolean): void {
  const { h, g, d } = from.graph;
  to.norms.splice(0, g, ...from.norms);
  device.ints(to.graph.starts, h).set(device.ints(from.graph.starts, h));
  const copyHeads = (heads: number, source: number, target: number, bytes: number, stride: number) => {
    for (let head = 0; head < heads; head++) {
      device.bytes(target + head * stride, bytes).set(device.bytes(source + head * bytes, bytes));
    }
  };
  copyHeads(g, from.graph.rows, to.graph.rows, 2 * from.graph.room * d, 2 * to.graph.room * d);
  if (isGraph) copyHeads(h, from.graph.links, to.graph.links, linkBytes(from.graph), linkBytes(to.graph));
}

/** The links of a query head: [keys][1 + capacity], how many there are before them. */
export function linkWords(device: Device, graph: Graph, head: number): Uint16Array | Uint32Array {
  const bytes = linkBytes(graph);
  const { buffer, byteOffset } = device.bytes(graph.links + head * bytes, bytes);
  const isNarrow = bytes === 2 * graph.room * (graph.capacity + 1);
  return isNarrow ? new Uint16Array(buffer, byteOffset, bytes / 2) : new Uint32Array(buffer, byteOffset, bytes / 4);
}
