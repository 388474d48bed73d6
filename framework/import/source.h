#pragma once

#include <optional>
#include <string>
#include <vector>

#include "import/labels.h"

namespace attune {

// The images of a source folder that are to be imported.
struct Selection {
  std::vector<LabelRow> rows;                // by path
  bool has_groups = false;                   // else each file is its own
  std::vector<std::string> no_row, no_file;  // images without a row, rows without an image: skipped
  std::vector<std::string> no_image;         // files that nothing calls an image: left out
};

// All regular files below a folder, by their path in it, sorted. Links to files are followed, links
// to folders are not; pipes, devices and links that lead nowhere are no files. What is hidden, file
// or folder, by a leading dot is skipped. DataError where a folder cannot be read.
std::vector<std::string> files_below(const std::string& folder);

// Whether a file is meant as an image: by its first bytes, or by the ending of its name, which
// stays when the bytes are damaged or of a format that import does not read.
bool is_meant_as_image(const std::string& path);

// What a labels CSV names. Files that are not meant as images need no row. DataError lists all
// images without a row and all rows without an image, unless `skip`.
Selection select_by_csv(const std::string& source, const std::string& csv,
                        const LabelColumns& columns, bool skip);

// What lies in sub-folders, of which the uppermost name the classes: SOURCE/<class>/…/image.
// DataError lists the images that are in none.
Selection select_by_folders(const std::string& source);

}  // namespace attune
