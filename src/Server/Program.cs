Console.WriteLine("serving");
