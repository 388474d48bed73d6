#pragma once

#include "base/shape.h"
#include "tests/process/process.h"

namespace attune {

using Words = std::vector<std::string>;

// Quickstart made small: two seeds, a checkpoint every seven steps, probes, dropout and
// augmentation on.
Words small_run(const std::string& out, const Words& more = {});

// A sweep of two points over the same, at two seeds each: four trials. Writes its file into
// `folder`, which stays while it is used; results go to <folder>/<out>.
Words small_sweep(const TestFolder& folder, const std::string& out, const Words& more = {});

struct KillReport {
  Index kills = 0, after_checkpoint = 0;
  Index of_parents = 0;  // of the process that has workers; the others are of workers
};

// kill -9 at random points of a run of 600 steps, which is started again each time, until `kills`
// have fallen; expects the bytes of an undisturbed run, and no more executed steps than the run's
// and a checkpoint interval a kill. At least half of the kills should find a checkpoint, or they
// show nothing.
KillReport kill_at_random(Index kills, std::uint64_t seed);

// The same of small_sweep() of so many steps with -j 2: of four kills about three fall on a worker
// and one on the parent alone. `after_checkpoint` counts those whose victim, or one of its workers,
// had one.
KillReport kill_sweep_at_random(Index kills, std::uint64_t seed, Index steps);

}  // namespace attune
