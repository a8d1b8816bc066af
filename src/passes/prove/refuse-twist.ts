/** Why layers as published code has them are refused. */
import { advice, type Diagnostic } from '../../diagnostics.ts';
import type { Twist } from '../../ir/network.ts';

type Refusal = Pick<Diagnostic, 'code' | 'message' | 'span' | 'help' | 'fix'> & { readonly help: string };

/** The diagnostic of a layer with this twist. */
export const refuseTwist = (twist: Twist): Refusal => {
  const { span } = twist;
  const refusal = (code: Diagnostic['code'], message: string, text: string, from: string, to: string): Refusal => ({
    code,
    message,
    span,
    ...advice({ text, from, to }, span),
    help: text,
  });
  switch (twist.kind) {
    case 'border':
      return refusal(
        'L0132',
        `\`${twist.mode}\` padding shows pixels near the border to the kernel several times: no bound of the kernel covers that`,
        'pad with zeros: `padding = same`, or give the number of rows and columns',
        twist.mode,
        'same',
      );
    case 'estimate':
      return refusal(
        'L0205',
        twist.how === 'power'
          ? 'power iteration comes to the norm from below: after any number of steps it bounds nothing'
          : 'the norm from a Fourier transform is that for circular padding at one size; with zeros around it may be larger',
        'use `method = gram`, a bound for any image size',
        twist.how,
        'gram',
      );
    case 'unsized':
      return refusal(
        'L0205',
        'an inverse Fourier transform that is not told the size takes the width for even: of an odd one a column is lost, and the rest grows by √(w/(w − 1))',
        'leave `inverse` out',
        'unsized',
        'sized',
      );
    case 'unskewed':
      return refusal(
        'L0212',
        'a skew kernel whose rows are scaled one by one is not skew, and its exponential is not orthogonal',
        'scale the kernel as a whole: give `norm` a number, e.g. `norm = 17/10`',
        'rows',
        '17/10',
      );
    case 'cut':
      return {
        code: 'L0123',
        message: 'a window that the border cuts off holds fewer entries, but is scaled like a whole one',
        span,
        help: 'leave `ceil_mode` out and choose windows that tile the image, or drop the rest with a `stride`',
      };
    case 'angle':
      return refusal(
        'L0214',
        'the angle of a pair, taken modulo 2π in f32, can round to 2π: no sector holds it, and the output jumps to 0',
        'leave `sectors` out: products tell the sector without an angle',
        'angle',
        'products',
      );
    default:
      return twist satisfies never;
  }
};
