#pragma once

#include <span>
#include <string>
#include <vector>

#include "storage/study_folder.h"
#include "train/kind.h"

namespace attune {

// One thing that is not as it should be.
struct FsckFinding {
  // note: nothing is lost, and nothing needs to be done. repaired: it was mended. damaged: a person
  // decides, and the sentence says between what.
  enum class State { note, repaired, damaged };
  State state = State::damaged;
  std::string path;
  std::string text;  // whole sentences, that name the file
};

struct FsckReport {
  Index run_files = 0, frozen = 0, running = 0, held = 0;  // looked at
  std::vector<FsckFinding> findings;

  Index count(FsckFinding::State state) const;
};

// Reads every byte that a study keeps: frozen configs, run files (their SHA-256 against the
// metadata's, whether all of them can be read, identity against config, name against content),
// metadata, and of trials that stopped the journal, the checkpoints and what they are of. Cuts torn
// ends of journals, removes what kills leave and rebuilds caches; a finished trial is never removed
// or changed. What another process trains is left alone.
FsckReport fsck(StudyFolder& folder, std::span<const Kind> kinds);

}  // namespace attune
