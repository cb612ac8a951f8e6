# The GNOME extension as two zips, one for each generation of the shell: cmake --build DIR --target gnome-extension
find_package(Python3 COMPONENTS Interpreter)
if(Python3_Interpreter_FOUND)
    set(pack "${CMAKE_SOURCE_DIR}/gnome-extension/pack.py")
    set(uuid "ollamaproxy@anthropic.com")
    add_custom_target(gnome-extension
        COMMAND Python3::Interpreter "${pack}" --shell 43 --zip "${CMAKE_BINARY_DIR}/gnome/${uuid}-shell-43-44.zip"
        COMMAND Python3::Interpreter "${pack}" --shell 45 --zip "${CMAKE_BINARY_DIR}/gnome/${uuid}-shell-45.zip"
        VERBATIM)
endif()
