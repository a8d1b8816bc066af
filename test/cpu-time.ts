/** Milliseconds of CPU that this process has used: what a test takes, whatever else the machine does. */
export const cpuTime = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};
