#pragma once

#include "base/shape.h"
#include "tests/process/process.h"

namespace attune {

using Words = std::vector<std::string>;

// Quickstart made small: two seeds, a checkpoint every seven steps, probes, dropout and
// augmentation on.
Words small_run(const std::string& out, const Words& more = {});

struct KillReport {
  Index kills = 0, after_checkpoint = 0;
};

// kill -9 at random points of a run of 600 steps, which is started again each time, until `kills`
// have fallen; expects the bytes of an undisturbed run, and no more executed steps than the run's
// and a checkpoint interval a kill. At least half of the kills should find a checkpoint, or they
// show nothing.
KillReport kill_at_random(Index kills, std::uint64_t seed);

}  // namespace attune
