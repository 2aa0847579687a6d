// SPDX-License-Identifier: AGPL-3.0-or-later

import { relative } from 'node:path';
import type { Reporter, TestCase, TestModule, TestSpecification } from 'vitest/node';
import type { Report, TestFailure } from './tally.ts';

/** Tells the test command, which started Vitest, what becomes of each test. */
export default class TallyReporter implements Reporter {
  onTestRunStart(specifications: readonly TestSpecification[]): void {
    void send({ type: 'files', files: specifications.map(({ moduleId }) => relative(process.cwd(), moduleId)) });
  }

  onTestCaseReady(test: TestCase): void {
    void send({ type: 'started', test: nameOf(test) });
  }

  onTestCaseResult(test: TestCase): void {
    const failure = failureOf(test);
    void send({ type: 'settled', test: nameOf(test), ...(failure === undefined ? {} : { failure }) });
  }

  onTestModuleEnd(module: TestModule): void {
    void send({ type: 'file-done', file: module.relativeModuleId, failures: failuresOutsideTests(module) });
  }

  async onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly { message?: string }[]): Promise<void> {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const failures = [
      ...modules.flatMap(failuresOutsideTests),
      ...tests.map(failureOf).filter((failure) => failure !== undefined),
      ...unhandledErrors.map(({ message }) => failed(`an error outside of all tests: ${message ?? 'unknown'}`)),
    ];
    const passed = tests.filter((test) => failureOf(test) === undefined).length;
    await send({ type: 'end', passed, failures });
  }
}

function failureOf(test: TestCase): TestFailure | undefined {
  const { state } = test.result();
  if (state === 'passed') return undefined;
  return { what: nameOf(test), why: state === 'pending' ? 'not finished' : state };
}

function failuresOutsideTests(module: TestModule): TestFailure[] {
  const suites = [...module.children.allSuites()];
  return [
    ...module.errors().map(() => failed(module.relativeModuleId)),
    ...suites.flatMap((suite) => suite.errors().map(() => failed(`${module.relativeModuleId} > ${suite.fullName}`))),
  ];
}

function failed(what: string): TestFailure {
  return { what, why: 'failed' };
}

function nameOf(test: TestCase): string {
  return `${test.module.relativeModuleId} > ${test.fullName}`;
}

/** Settles when the report is on its way, so that Vitest does not end before. */
function send(report: Report): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined) resolve();
    else process.send(report, undefined, {}, () => resolve());
  });
}
