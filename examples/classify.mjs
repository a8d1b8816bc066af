// Labels an image and says how far that label is certified, with the module that this wrote:
//   lip build examples/mnist.lip --weights out/Mnist/checkpoint.safetensors
import { openDevice } from 'lip/device';
import { load } from '../out/Mnist/Mnist.js';

const gpu = await openDevice();
const net = await load(gpu.device);
const image = new Float32Array(28 * 28); // one image, values in [0, 1]: a vertical stroke
for (let row = 5; row < 23; row++) image.fill(1, 28 * row + 13, 28 * row + 15);
const [{ label, radius }] = net.certify(await net.run(image));
console.log(`label ${label}: no change of norm below ${radius.toFixed(4)} makes it another`);
gpu.destroy();
