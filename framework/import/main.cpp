// attune-import: what `attune import` runs. A program of its own, since nothing else needs ITK.
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <optional>
#include <set>
#include <sstream>

#include "base/error.h"
#include "base/json.h"
#include "base/process.h"
#include "import/import.h"

namespace attune {
namespace {

constexpr const char* kHelp =
    R"(usage: attune import SOURCE -o FILE.h5 [--labels CSV] [options]

Makes a dataset file of a folder of images: DICOM, NIfTI, MetaImage, NRRD, PNG
and JPEG, told by content; each slice of a volume is an image. Groups (patients,
papers) are never split between training and test. Prints counts by label, group
and size, and images that several groups share.

  -o, --out FILE.h5      the dataset file, replaced if one is there
      --labels CSV       a row a file: file (relative to SOURCE), label, group;
                         without it the folders in SOURCE name the classes
      --columns LIST     other names of these, as in file=image,group=patient
      --window LO,HI     clips values of all formats but PNG and JPEG, and
                         scales them to 0 .. 1
      --skip-unlabelled  leaves out images without a row, rows without an image
      --kind images      the only kind so far
  -q, --quiet            prints nothing but errors
      --json             prints the counts and lists, or the error, as one JSON
                         object

exit codes: 0 all done; 1 storage failed; 2 bad command line or images: nothing
            written

examples:
  attune import scans -o data/scans.h5 --labels scans/labels.csv
  attune import ct -o data/ct.h5 --labels ct.csv --window -1000,400
  attune import ct -o data/ct.h5 --labels ct.csv --columns group=patient
  attune import photos -o data/photos.h5    # photos/CLASS/...
)";

struct CommandLine {
  ImportOptions import;
  bool quiet = false, json = false;
};

std::pair<double, double> parse_window(const std::string& text) {
  double low = 0, high = 0;
  const char* end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, low);
  const bool comma = first.ec == std::errc() && first.ptr != end && *first.ptr == ',';
  const auto second = comma ? std::from_chars(first.ptr + 1, end, high) : first;
  ATTUNE_CHECK(comma && second.ec == std::errc() && second.ptr == end && low < high, ConfigError,
               "--window {}: two numbers are needed, the lower one first, such as -1000,400", text);
  return {low, high};
}

LabelColumns parse_columns(const std::string& text) {
  LabelColumns columns;
  std::istringstream items(text);
  for (std::string item; std::getline(items, item, ',');) {
    const std::size_t equals = item.find('=');
    const std::string key = item.substr(0, equals);
    std::string* column = key == "file"    ? &columns.file
                          : key == "label" ? &columns.label
                          : key == "group" ? &columns.group
                                           : nullptr;
    ATTUNE_CHECK(column && equals != std::string::npos && equals + 1 < item.size(), ConfigError,
                 "--columns {}: '{}' is none of file=NAME, label=NAME, group=NAME", text, item);
    *column = item.substr(equals + 1);
  }
  return columns;
}

CommandLine parse(const std::vector<std::string>& words) {
  CommandLine command;
  ImportOptions& options = command.import;
  std::set<std::string> given;
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::string name = words[i];
    std::optional<std::string> attached;
    if (const auto equals = name.find('='); name.starts_with("--") && equals != std::string::npos) {
      attached = name.substr(equals + 1);
      name.resize(equals);
    }
    // A window may begin with a minus; what else does is the next option.
    const auto value = [&](bool number = false) {
      const std::string option = name == "-o" ? "--out" : name;
      ATTUNE_CHECK(given.insert(option).second, ConfigError, "{} is given twice", option);
      if (attached) return *attached;
      const bool there = i + 1 < words.size() && (number || !words[i + 1].starts_with('-'));
      ATTUNE_CHECK(there, ConfigError, "{} needs a value{}; see --help", name,
                   i + 1 < words.size() ? fmt::format(", and {} is an option", words[i + 1]) : "");
      return words[++i];
    };
    const auto flag = [&] {
      ATTUNE_CHECK(!attached, ConfigError, "{} takes no value; see --help", name);
    };
    if (name == "-o" || name == "--out") {
      options.output = value();
    } else if (name == "--labels") {
      options.labels = value();
    } else if (name == "--columns") {
      options.columns = parse_columns(value());
    } else if (name == "--window") {
      options.window = parse_window(value(true));
    } else if (name == "--skip-unlabelled") {
      flag();
      options.skip_unlabelled = true;
    } else if (name == "-q" || name == "--quiet") {
      flag();
      command.quiet = true;
    } else if (name == "--json") {
      flag();
      command.json = true;
    } else if (name == "--kind") {
      const std::string kind = value();
      ATTUNE_CHECK(kind == "images", ConfigError, "--kind {}: only images can be imported", kind);
    } else {
      ATTUNE_CHECK(!name.starts_with("-") || name == "-", ConfigError,
                   "unknown option '{}'; see --help", name);
      ATTUNE_CHECK(options.source.empty(), ConfigError,
                   "two sources, '{}' and '{}': import takes one folder", options.source, name);
      options.source = name;
    }
  }
  ATTUNE_CHECK(!options.source.empty(), ConfigError,
               "SOURCE is missing, a folder of images; see --help");
  ATTUNE_CHECK(!options.output.empty(), ConfigError, "-o FILE.h5 is missing; see --help");
  ATTUNE_CHECK(!options.labels.empty() || !options.skip_unlabelled, ConfigError,
               "--skip-unlabelled needs --labels CSV: without it folders name the classes");
  return command;
}

// As all verbs report one: a sentence, or under --json an object.
int report(const std::string& text, ExitCode code, bool json) {
  const int exit = static_cast<int>(code);
  const Json object =
      Json().set("exit", exit).set("errors", Json::List{Json().set("message", text)});
  std::cerr << (json ? object.dump() : "error: " + text) << "\n";
  return exit;
}

// Lost output is an error, but for a reader that has left.
void print(const std::string& text) {
  errno = 0;
  const bool whole =
      std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
  ATTUNE_CHECK(whole || errno == EPIPE, StorageError,
               "the output could not be written: {}. Make room, or write it to another place",
               std::strerror(errno));
}

int run(const std::vector<std::string>& words) {
  const bool json = std::find(words.begin(), words.end(), "--json") != words.end();
  try {
    for (const std::string& word : words)
      if (word == "--help" || word == "-h") {
        print(kHelp);
        return 0;
      }
    const CommandLine command = parse(words);
    const ImportReport report = import_images(command.import);
    if (command.json) {
      print(report_json(report).dump() + "\n");
    } else if (!command.quiet) {
      print(report_text(report));
    }
    return 0;
  } catch (const Error& error) {
    return report(error.what(), error.code(), json);
  } catch (const std::filesystem::filesystem_error& error) {
    return report(error.what(), ExitCode::usage, json);
  } catch (const std::exception& error) {
    return report(error.what(), ExitCode::failure, json);
  }
}

}  // namespace
}  // namespace attune

int main(int argc, char** argv) {
  attune::prepare_process();
  return attune::run({argv + 1, argv + argc});
}
