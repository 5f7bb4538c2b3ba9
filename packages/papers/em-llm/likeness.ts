/** Sums over heads of products [events, heads]: the dot products of whole vectors (section 3.2). */
export function sums(products: ArrayLike<number>, heads: number): Float64Array {
  const out = new Float64Array(products.length / heads);
  for (let i = 0; i < products.length; i++) {
    const event = Math.floor(i / heads);
    out[event] = (out[event] ?? 0) + (products[i] ?? Number.NaN);
  }
  return out;
}

/**
 * Sums over heads of the share of attention that each would pay to every event, if nothing but events were there, by products
 * [events, heads]: a head that finds nothing adds little to any of them, where its products would drown those of one that does.
 */
export function shares(products: ArrayLike<number>, heads: number, scale: number): Float64Array {
  const out = new Float64Array(products.length / heads);
  const weights = new Float64Array(out.length);
  for (let head = 0; head < heads; head++) {
    let most = Number.NEGATIVE_INFINITY;
    for (let i = head; i < products.length; i += heads) most = Math.max(most, products[i] ?? Number.NaN);
    let total = 0;
    for (let event = 0; event < out.length; event++) {
      const weight = Math.exp(scale * ((products[event * heads + head] ?? Number.NaN) - most));
      weights[event] = weight;
      total += weight;
    }
    for (const [event, weight] of weights.entries()) out[event] = (out[event] ?? 0) + weight / total;
  }
  return out;
}
