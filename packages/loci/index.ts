export * from '@loci/engine';
