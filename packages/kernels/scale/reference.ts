/** x [n, groups, columns] · factors [groups] + shifts [groups, columns]; a factor of 0 removes even NaN. */
export function scaleReference(
  x: ArrayLike<number>,
  columns: number,
  factors: ArrayLike<number>,
  shifts: ArrayLike<number> | undefined,
): Float64Array {
  return Float64Array.from(x, (value, i) => {
    const column = i % (factors.length * columns);
    const factor = factors[Math.floor(column / columns)] ?? Number.NaN;
    return (factor === 0 ? 0 : value * factor) + (shifts?.[column] ?? 0);
  });
}
