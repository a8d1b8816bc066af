/** How statements that need an argument are written: what to say where it is missing. */

/** By the words that a statement begins with. */
const EXAMPLES: Readonly<Record<string, string>> = {
  input: 'input image[1, 28, 28]',
  budget: 'budget 1',
  repeat: 'repeat 3 { residual dense hidden = 64 }',
  dense: 'dense 64',
  conv: 'conv 16, kernel = 3',
  'transposed conv': 'transposed conv 16, stride = 2',
  'residual dense': 'residual dense hidden = 64',
  'residual conv': 'residual conv hidden = 16, kernel = 3',
  sandwich: 'sandwich 64',
  head: 'head 10',
  center: 'center 1/2',
  scale: 'scale 2',
  pad: 'pad channels to 16',
  truncate: 'truncate channels to 16',
  tile: 'tile channels to 16',
  avgpool: 'avgpool 2',
  maxpool: 'maxpool 2',
  l2pool: 'l2pool 2',
  space_to_depth: 'space_to_depth 2',
  depth_to_space: 'depth_to_space 2',
  leaky_relu: 'leaky_relu 1/10',
  groupsort: 'groupsort 4',
};

/** A use of the statement that begins with these words; undefined for a layer of the file. */
export const exampleOf = (words: string): string | undefined =>
  Object.hasOwn(EXAMPLES, words) ? EXAMPLES[words] : undefined;
