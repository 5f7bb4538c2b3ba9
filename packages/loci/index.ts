/**
 * Loci in one import.
 *
 * ```ts
 * import { loadModel } from 'loci';
 *
 * const model = await loadModel();
 * const session = await model.open();
 * const prompt = { messages: [{ role: 'user', content: 'Name a river in France.' }] } as const;
 * for await (const token of session.generate(prompt, { maxTokens: 40 })) process.stdout.write(token.text);
 * await model.close();
 * ```
 */
export * from '@loci/engine';
