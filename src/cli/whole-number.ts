import { InvalidArgumentError } from 'commander';

/** Reads the argument of an option that is a whole number. */
export const wholeNumber =
  (least: number) =>
  (text: string): number => {
    const n = Number(text);
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(n) || n < least) {
      throw new InvalidArgumentError(`expected a whole number of at least ${least}.`);
    }
    return n;
  };
