#pragma once

#include <string>
#include <string_view>

namespace conclave {

// Throws Error unless `bytes` is a whole TorchScript archive: a ZIP file (PKWARE's APPNOTE) under one folder, with
// code, whose entries' sizes, places and checksums agree, are stored or (64 MiB in all) deflated, and whose names stay
// inside; and whose code neither says that it reads or writes files nor runs while it is loaded (__setstate__). Nothing
// of it is run. What it calls is known for certain only once it is compiled: see load_torchscript.
//
// This finds damage and what is not TorchScript. It does not make a stranger's file safe: TorchScript is a program.
void check_torchscript_archive(std::string_view bytes, const std::string& where);

}  // namespace conclave
