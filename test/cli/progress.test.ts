import { expect, test } from 'vitest';
import { clock, createProgress, trainingLine } from '../../src/cli/progress.ts';

const recorder = (isTTY: boolean, columns = 100) => {
  let text = '';
  let time = 0;
  const stream = {
    isTTY,
    columns,
    write: (t: string) => {
      text += t;
    },
  };
  const progress = createProgress(stream, () => time);
  return {
    progress,
    after: (ms: number) => {
      time += ms;
    },
    text: () => text,
  };
};

test('on a terminal one line moves, at most ten times a second', () => {
  const { progress, after, text } = recorder(true, 6);
  progress.update('one');
  after(50);
  progress.update('too soon');
  after(60);
  progress.update('two, too long');
  progress.line('stays');
  progress.done();
  expect(text()).toBe('\r\x1b[Kone\r\x1b[Ktwo, \r\x1b[Kstays\n');
});

test('off a terminal lines are plain and far between', () => {
  const { progress, after, text } = recorder(false);
  progress.update('too soon');
  after(31_000);
  progress.update('one');
  after(20_000);
  progress.line('stays');
  after(20_000);
  progress.update('too soon after a line');
  progress.done();
  expect(text()).toBe('one\nstays\n');
});

test('times and the line of a training run', () => {
  expect([75, 4000, 0.4, Number.NaN].map(clock)).toEqual(['1:15', '1:06:40', '0:00', '–:––']);
  const p = {
    epoch: 2,
    epochs: 10,
    step: 3,
    stepsPerEpoch: 12,
    loss: 0.43218,
    imagesPerSecond: 1234.4,
    secondsLeft: 42,
  };
  expect(trainingLine(p)).toBe('epoch  2/10  █████░░░░░░░░░░░░░░░   25 %  loss 0.4322  1234 images/s  0:42 left');
});
