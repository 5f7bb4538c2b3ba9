import { type Command, command } from '../command.ts';

interface Loss {
  /** Address of float32 [n, stride]. */
  readonly logits: number;
  readonly stride: number;
  readonly n: number;
  readonly v: number;
  /** Address of int32 [n]. */
  readonly targets: number;
  /** Address of float32 [n, 2]. */
  readonly out: number;
}

/** Per row { logit of the target − largest logit, Σ exp(logit − largest) }: see `negativeLogLikelihood`. */
export function loss({ logits, stride, n, v, targets, out }: Loss): Command {
  return command('loss', [logits, stride, n, v, targets, out]);
}

/** −ln p(target) in nats from one row of `loss`. */
export function negativeLogLikelihood(target: number, sum: number): number {
  return Math.log(sum) - target;
}
