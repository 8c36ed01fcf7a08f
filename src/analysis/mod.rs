//! Prompts and repository -> what each task will touch.
