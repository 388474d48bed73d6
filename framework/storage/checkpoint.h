#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/shape.h"

namespace attune {

// All that a trial needs to go on after `step` steps as if it had never stopped.
struct Checkpoint {
  Index step = 0;
  std::uint64_t journal_bytes = 0;  // the journal is cut to this on resume
  std::string identity;             // of the trial
  std::string build_id;
  std::map<std::string, std::string>
      blobs;  // by name: parameters, moments, the sampler's position, …
  bool operator==(const Checkpoint&) const = default;
};

// Writes <folder>/ckpt-<step> whole or not at all (ckpt.tmp, fsync, rename, fsync of the folder),
// then removes all but this one and the one before it. The journal must have been synced before.
void save_checkpoint(const std::string& folder, const Checkpoint& checkpoint);

struct CheckpointSearch {
  // none: there is no valid checkpoint, begin at step 0.
  // found: go on from `checkpoint`.
  // other_build: the newest valid one was written by other code, whose numbers may differ: begin at
  // step 0.
  enum class Outcome { none, found, other_build };
  Outcome outcome = Outcome::none;
  std::optional<Checkpoint> checkpoint;  // when found
  std::vector<std::string> notices;      // what was passed over, and why; a sentence each
};

// The newest checkpoint that is whole, of this trial and build, and not ahead of the
// `journal_bytes` good bytes of the journal. Damaged ones are passed over with a notice.
CheckpointSearch load_newest_valid(const std::string& folder, const std::string& identity,
                                   const std::string& build_id, std::uint64_t journal_bytes);

// One file; DamagedError when it is not whole or of another version.
Checkpoint read_checkpoint(const std::string& path);

}  // namespace attune
