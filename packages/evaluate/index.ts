export type { Claim, Finding, Json, Paper, Workbench } from './reproduce/claim.ts';
