#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace attune {

// Outputs that people name (-o): in folders that are not ours, several commands may write one file
// at the same time, and any name may be somebody's.

// What can be known of an output before anything is computed: ConfigError unless a file can be
// written there, or when it is one of the inputs, which writing over would destroy.
void check_output(const std::string& path, const std::vector<std::string>& inputs);

// A file that is written beside the one that it is to become, "a/b.h5" as "a/.b.h5.<pid>-<n>.tmp",
// and made anew: never one that is there, nor what a link leads to. It goes with the object, and
// with the process on SIGINT, SIGTERM and SIGHUP where these would end it, unless it was put into
// place; a process has one at a time that signals remove. StorageErrors.
class OutputFile {
 public:
  explicit OutputFile(std::string path);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  const std::string& temporary() const { return temporary_; }
  // What was written, under its own name and on disk when this returns. Of several writers of one
  // name the last one's stays, whole.
  void put_in_place();

 private:
  std::string path_, temporary_;
};

// All of it at once.
void write_output(const std::string& path, std::string_view content);

}  // namespace attune
