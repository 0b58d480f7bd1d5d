/** An edge of a graph whose nodes are numbers from 0. */
export interface Edge<Kind> {
  readonly to: number;
  readonly kind: Kind;
}

export type Graph<Kind> = readonly (readonly Edge<Kind>[])[];

/** One step of a cycle: from a node along an edge. */
export interface Step<Kind> {
  readonly from: number;
  readonly kind: Kind;
}

/** A shortest cycle of one of the components that have any; undefined where there is none. */
export function cycleOf<Kind>(graph: Graph<Kind>): Step<Kind>[] | undefined {
  for (const component of componentsOf(graph)) {
    const [first] = component;
    if (first === undefined) continue;
    if (component.length > 1 || graph[first]!.some(({ to }) => to === first)) {
      return shortestCycle(graph, first, new Set(component));
    }
  }
  return undefined;
}

interface Visit {
  readonly node: number;
  /** The next edge to look at. */
  edge: number;
}

/** The strongly connected components (Tarjan's algorithm, without recursion: histories are long). */
export function componentsOf(graph: Graph<unknown>): number[][] {
  const index = new Array<number>(graph.length).fill(-1);
  const low = new Array<number>(graph.length).fill(-1);
  const onStack = new Array<boolean>(graph.length).fill(false);
  const stack: number[] = [];
  const components: number[][] = [];
  let count = 0;
  const enter = (node: number): Visit => {
    index[node] = low[node] = count++;
    stack.push(node);
    onStack[node] = true;
    return { node, edge: 0 };
  };
  const leave = (node: number): void => {
    if (low[node] !== index[node]) return;
    const component: number[] = [];
    while (onStack[node]) {
      const member = stack.pop()!;
      onStack[member] = false;
      component.push(member);
    }
    components.push(component);
  };
  for (let root = 0; root < graph.length; root++) {
    const visits = index[root] === -1 ? [enter(root)] : [];
    for (let visit = visits.at(-1); visit !== undefined; visit = visits.at(-1)) {
      const { node } = visit;
      const edge = graph[node]![visit.edge++];
      if (edge === undefined) {
        visits.pop();
        leave(node);
        const above = visits.at(-1)?.node;
        if (above !== undefined) low[above] = Math.min(low[above]!, low[node]!);
      } else if (index[edge.to] === -1) {
        visits.push(enter(edge.to));
      } else if (onStack[edge.to]) {
        low[node] = Math.min(low[node]!, index[edge.to]!);
      }
    }
  }
  return components;
}

function shortestCycle<Kind>(graph: Graph<Kind>, start: number, within: ReadonlySet<number>): Step<Kind>[] {
  const cameBy = new Map<number, Step<Kind>>();
  const queue = [start];
  for (const from of queue) {
    for (const { to, kind } of graph[from]!) {
      if (!within.has(to) || cameBy.has(to)) continue;
      cameBy.set(to, { from, kind });
      if (to !== start) queue.push(to);
    }
  }
  const steps: Step<Kind>[] = [];
  for (let at = start; steps.length === 0 || at !== start; ) {
    const step = cameBy.get(at)!;
    steps.push(step);
    at = step.from;
  }
  return steps.reverse();
}
