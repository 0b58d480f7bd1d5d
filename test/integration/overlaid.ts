/** The object with some of its methods replaced; the others run on the object itself. */
export function overlaid<T extends object>(target: T, methods: Partial<T>): T {
  return new Proxy(target, {
    get: (inner, name) => {
      const value: unknown = Reflect.get(methods, name) ?? Reflect.get(inner, name);
      return typeof value === 'function' ? value.bind(inner) : value;
    },
  });
}
