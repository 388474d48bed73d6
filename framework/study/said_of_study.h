#pragma once

#include <string>

#include "config/document.h"

namespace attune {

// What a study's file says of the study as a whole, and no row has.
struct SaidOfStudy {
  Node claims, report, registered;  // null where it says nothing

  // Takes these keys out of a document.
  static SaidOfStudy taken_from(Document& document);
  std::string text() const;  // the lines of a file
  // Ten seeds, where there are claims and the document says neither seeds nor repeats.
  void set_default_seeds(Document& document, Diagnostics& diagnostics) const;
};

}  // namespace attune
