/** Plans as text. */
import type { Plan, PlanTensor } from '../runtime/plan.ts';

const bytes = (n: number): string =>
  n < 1024 ? `${n} B` : n < 2 ** 20 ? `${+(n / 1024).toPrecision(4)} KiB` : `${+(n / 2 ** 20).toPrecision(4)} MiB`;

/** Tensors, buffers with their sizes, and one line a step: kernel, workgroups, buffers per binding, what it computes. */
export const printPlan = (plan: Plan): string => {
  const lines: string[] = [];
  const tensors = (what: string, group: Readonly<Record<string, PlanTensor>>) => {
    for (const [name, t] of Object.entries(group)) lines.push(`${what} "${name}" [${t.shape}] in buffer ${t.buffer}`);
  };
  tensors('input', plan.inputs);
  tensors('param', plan.params);
  tensors('output', plan.outputs);
  for (const [i, b] of plan.buffers.entries()) lines.push(`buffer ${i}: ${b.role} ${bytes(b.size)}`);
  const access = (kernel: number, binding: number) => (plan.kernels[kernel].access[binding] === 'read' ? '' : '*');
  plan.steps.forEach((s, i) => {
    const bound = s.bindings.map((b, k) => `${b}${access(s.kernel, k)}`).join(' ');
    lines.push(`step ${i}: kernel ${s.kernel} × ${s.workgroups.join('·')} on (${bound})   # ${s.label}`);
  });
  const total = plan.buffers.reduce((n, b) => n + b.size, 0);
  lines.push(
    `${plan.steps.length} steps, ${plan.kernels.length} kernels, ${plan.buffers.length} buffers of ${bytes(total)}`,
  );
  return `${lines.join('\n')}\n`;
};

/** The WGSL of every kernel, each under a comment that says which steps run it. */
export const printWgsl = (plan: Plan): string =>
  plan.kernels
    .map((k, i) => {
      const users = plan.steps.flatMap((s, n) => (s.kernel === i ? [`${n} (${s.label})`] : []));
      return `// kernel ${i}: steps ${users.join(', ')}\n${k.wgsl.trim()}\n`;
    })
    .join('\n');
