pub fn write(_: &super::Drawing) -> String {
    String::new()
}
