import { readFileSync } from 'node:fs';

const TICKS_PER_SECOND = 100; // what Linux reports in, whatever the kernel's own tick is

/** User and system time of a process so far; NaN where there is no /proc. */
export function cpuMsOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND;
  } catch {
    return Number.NaN;
  }
}

export function residentMiBOf(pid: number): number {
  try {
    return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]) / 1024;
  } catch {
    return Number.NaN;
  }
}

/** What the machine has done so far, in ticks: in all, and for others while it had work here (the hypervisor's steal). */
export interface MachineTime {
  readonly total: number;
  readonly stolen: number;
}

/** All NaN where there is no /proc. */
export function machineTime(): MachineTime {
  try {
    const [first = ''] = readFileSync('/proc/stat', 'latin1').split('\n', 1);
    // user nice system idle iowait irq softirq steal; what follows is part of these.
    const ticks = first.trim().split(/\s+/).slice(1, 9).map(Number);
    return { total: ticks.reduce((sum, one) => sum + one, 0), stolen: ticks[7] ?? Number.NaN };
  } catch {
    return { total: Number.NaN, stolen: Number.NaN };
  }
}
