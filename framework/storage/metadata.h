#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/shape.h"

namespace attune {

// All that may differ between two runs of one trial, kept beside its run file as <stem>.meta.json
// (`attune.meta@1`).
struct RunMetadata {
  std::string started, finished;  // UTC, "2026-03-01T12:00:00Z"
  double seconds = 0;             // of work, over all attempts
  Index attempts = 1;             // 1 when nothing interrupted it
  Index executed_steps = 0;       // more than the trial's steps when kills made it repeat some
  int threads = 1;
  std::vector<std::string> argv;
  std::string folder;     // the working folder
  std::string data_file;  // full path of the dataset, empty where there is none
  std::string init_from;  // full path of the weights that it began with, likewise
  std::vector<std::pair<std::string, std::string>>
      origins;  // "optim.lr" → "configs/optim/adamw.yaml:2:5"
  struct Measured {
    std::string name;  // "time/step", "memory/peak"
    double value = 0;
    std::string units;
  };
  std::vector<Measured> measured;
  std::vector<std::string> notes;
};

// The file's text: the above, host and processor, how the binary was made (base/build_facts.h), and
// the identity and SHA-256 of the run file that it describes.
std::string metadata_text(const RunMetadata& metadata, std::string_view identity,
                          std::string_view run_file_sha256);

// DamagedError when the file is no metadata of this version; StorageError when it is not there.
Json read_metadata(const std::string& path);

// The metadata beside a run file; null where a run file travels alone.
Json metadata_beside(const std::string& run_path);

// The SHA-256 of a run file. DamagedError when the metadata beside it, where there is some, tells
// another one: HDF5 itself checks neither the finals nor the config.
std::string checked_sha256(const std::string& run_path, const Json& metadata);

// Now, as in RunMetadata::started.
std::string utc_now();

}  // namespace attune
