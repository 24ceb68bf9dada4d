package load;

public class Hello {
  public Object handle(Object event) {
    return event;
  }
}
