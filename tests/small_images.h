#pragma once

#include <string>

#include "base/philox.h"
#include "datasets/dataset_file.h"

namespace attune {

// A dataset file of groups of 1 to 4 images of random size and gray, of two classes by turns; those
// of class 1 are brighter in the left half, so that pixels tell the classes and sizes do not.
inline void write_small_images(const std::string& path, std::int32_t n_groups = 30,
                               std::int32_t n_classes = 2) {
  const Stream s(11, "test", "small images");
  ImageTable table;
  for (std::int32_t g = 0; g < n_groups; ++g) {
    const auto group = static_cast<std::uint64_t>(g);
    for (std::uint32_t k = 0; k <= s.below(4, group); ++k) {
      table.height.push_back(static_cast<std::int32_t>(16 + s.below(20, group, 1, k)));
      table.width.push_back(static_cast<std::int32_t>(16 + s.below(20, group, 2, k)));
      table.group.push_back(100 + g);
      table.label.push_back(g % n_classes);
    }
  }
  for (std::int32_t c = 0; c < n_classes; ++c)
    table.class_names.push_back(std::string(1, static_cast<char>('a' + c)));
  DatasetFileWriter writer(path, table);
  for (Index i = 0; i < table.size(); ++i) {
    const auto at = static_cast<std::size_t>(i);
    std::vector<std::uint8_t> pixels;
    for (Index p = 0; p < table.n_pixels(i); ++p) {
      const bool left = 2 * (p % table.width[at]) < table.width[at];
      const std::uint32_t gray =
          s.below(160, static_cast<std::uint64_t>(p), static_cast<std::uint32_t>(i), 3) +
          (left && table.label[at] == 1 ? 60 : 0);
      pixels.push_back(static_cast<std::uint8_t>(gray));
    }
    writer.append(View<const std::uint8_t>(pixels.data(), {table.n_pixels(i)}));
  }
  writer.finish();
}

}  // namespace attune
